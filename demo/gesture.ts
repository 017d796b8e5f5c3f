/** One gesture of a pointer on the board, under way. */
export interface Gesture {
  move(events: readonly PointerEvent[]): void
  end(): void
}
