/** A note's page. The editor runs in the browser, this in the server, which sends away whose note it is not. */
import { headers } from "next/headers"
import { notFound, redirect } from "next/navigation"
import { personOf } from "../../../lib/session"
import { Editor } from "./editor"

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const person = personOf((await headers()).get("cookie"))
  if (person === null) redirect("/")
  if (!person.notes.has(id)) notFound()
  return (
    <Editor key={id} id={id} name={person.name} rooms={process.env.ROOMS ?? "ws://localhost:8787/docs"} />
  )
}
