/** `/health`: whether the Worker answers. Asks nobody, so it says nothing about rooms or archives. */
import { answerJson, type Resource } from "./resource.ts"

/** GET: `{"status":"ok"}`, without a token. */
export const health: Resource = {
  about: "server",
  path: "/health",
  methods: { GET: { rights: null, answer: () => answerJson({ status: "ok" }) } },
}
