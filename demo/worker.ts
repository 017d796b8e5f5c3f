/** The Worker of the demos: the deployable one, and two rooms of its own. */
export { default, Room } from "../src/index.ts"
export { Cart } from "./cart-room.ts"
export { Counter } from "./counter-room.ts"
