import { makeDesk } from "../src/admin.ts"
import { Room } from "../src/index.ts"
import { changeCart, readCart, readChange } from "./cart-items.ts"

/** A room that is a shopping cart: one a user, whose devices are its peers. Over HTTP it takes one change a POST. */
export class Cart extends Room {
  override readonly desk = makeDesk()

  override async onPost(request: Request): Promise<Response> {
    const change = readChange(await request.json().catch(() => undefined))
    const cart = await this.edit((doc) => {
      changeCart(doc, change)
      return readCart(doc)
    })
    return Response.json(cart)
  }
}
