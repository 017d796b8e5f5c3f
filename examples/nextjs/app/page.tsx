/** The first page: the notes of whoever has signed in, or the form to do so. */
import { headers } from "next/headers"
import Link from "next/link"
import { personOf } from "../lib/session"

export default async function Page({ searchParams }: { searchParams: Promise<{ wrong?: string }> }) {
  const person = personOf((await headers()).get("cookie"))
  if (person === null) {
    const { wrong } = await searchParams
    return (
      <form method="post" action="/sign-in">
        <input name="name" placeholder="Name" aria-label="Name" autoComplete="username" required />
        <input
          name="password"
          type="password"
          placeholder="Password"
          aria-label="Password"
          autoComplete="current-password"
          required
        />
        <button type="submit">Sign in</button>
        {wrong !== undefined && <p role="alert">Nobody has this name and password.</p>}
      </form>
    )
  }
  return (
    <>
      <header>
        <span>{person.name}</span>
        <form method="post" action="/sign-out">
          <button type="submit">Sign out</button>
        </form>
      </header>
      <ul>
        {[...person.notes].map(([id, rights]) => (
          <li key={id}>
            <Link href={`/notes/${id}`}>{id}</Link>
            {rights === "read" && " (you may read it)"}
          </li>
        ))}
      </ul>
    </>
  )
}
