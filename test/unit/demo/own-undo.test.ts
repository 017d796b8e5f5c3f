/** The undo of trees: blocks with the words of two people in them, brought back and taken back again. */
import { expect, it } from "vitest"
import * as Y from "yjs"
import { takeBackOwn } from "../../../demo/own-undo.ts"

/** Ana and Bo at the same block; each hears at once what the other does. Ana's undo takes a step for each transaction. */
function atOneBlock() {
  const [ana, bo] = [new Y.Doc(), new Y.Doc()]
  for (const [from, to] of [
    [ana, bo],
    [bo, ana],
  ] as const)
    from.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "other") Y.applyUpdate(to, update, "other")
    })
  const root = ana.getXmlFragment("default")
  const undo = new Y.UndoManager(root, { captureTimeout: 0 })
  takeBackOwn(undo)
  const write = (name: string) => {
    const block = new Y.XmlElement(name)
    root.insert(0, [block])
    block.insert(0, [new Y.XmlText()])
  }
  ana.transact(() => write("paragraph"))
  const textOf = (doc: Y.Doc) => {
    const block = doc.getXmlFragment("default").get(0) as Y.XmlElement
    return block.get(0) as Y.XmlText
  }
  return { ana, bo, root, undo, textOf, shown: () => bo.getXmlFragment("default").toString() }
}

it("leaves others' words in a block that undo has brought back", () => {
  const { ana, bo, root, undo, textOf, shown } = atOneBlock()
  textOf(ana).insert(0, "two")
  textOf(bo).insert(3, " BO")
  // An editor makes a heading of a paragraph by putting another block in its place.
  root.delete(0, 1)
  undo.undo()
  expect(shown()).toBe("<paragraph>two BO</paragraph>")
  undo.undo()
  expect(shown()).toBe("<paragraph> BO</paragraph>")
  undo.redo()
  expect(shown()).toBe("<paragraph>two BO</paragraph>")
  undo.redo()
  expect(shown()).toBe("")
})

it("takes all of a word back that somebody has written into since undo brought it back", () => {
  const { ana, bo, root, undo, textOf, shown } = atOneBlock()
  textOf(ana).insert(0, "two")
  root.delete(0, 1)
  undo.undo()
  textOf(bo).insert(1, "BO")
  undo.undo()
  expect(shown()).toBe("<paragraph>BO</paragraph>")
})
