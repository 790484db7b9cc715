import { expect, it } from "vitest";
import type { CollectiveKinds, Sent } from "../src/model/payload.ts";
import { sentSums } from "../src/model/sent.ts";

const kinds: CollectiveKinds = {
  op: ["c10d.allreduce_", "c10d.barrier"],
  control: [false, true],
  pattern: ["all-reduce", "barrier"],
  side: ["input", ""],
  groups: { label: ["dp", "tp"], size: [8, 2], ranks: ["0–7", "0, 1"] },
};
const figures = { calls: [1, 2, 1], payload_bytes: [80, 40, 0], wire_bytes: [140, 2 ** 53, 0] };
/** Rows 1 and 2 hand on data over the run's second group, which is the page's first, and row 3 calls a barrier. */
const sent: Sent = {
  row: [1, 2, 1, 3],
  issuer: [0, 0, -1, 3],
  kind: [0, 0, 0, 1],
  group: [1, 1, 0, 1],
  line: [0, 0, 1, 2],
  groups: [1, 0],
};
const rows = new Set([0, 1, 2, 3]);

it("adds up by collective and group, control last", () => {
  const [tp, dp, barrier, ...more] = sentSums({ sent, kinds, figures, rows, apart: null });
  expect(more).toEqual([]);
  expect(tp).toMatchObject({ group: "tp", calls: 2n, payload: 40n, wire: 2n ** 53n, ranks: "0, 1", side: "input" });
  expect(dp).toMatchObject({ group: "dp", calls: 2n, payload: 160n, wire: 280n, size: 8, pattern: "all-reduce" });
  expect([...dp!.owners]).toEqual([
    [1, 140n],
    [2, 140n],
  ]);
  expect([...dp!.issuers]).toEqual([[0, 280n]]);
  expect([...tp!.issuers.keys()]).toEqual([-1]);
  expect(barrier).toMatchObject({ control: true, wire: 0n, calls: 1n });
});

it("tells apart whose data it is, and leaves other modules out", () => {
  const found = sentSums({ sent, kinds, figures, rows: new Set([1, 2]), apart: (row) => row });
  expect(found.map(({ group, owners }) => [group, ...owners.keys()])).toEqual([
    ["tp", 1],
    ["dp", 1],
    ["dp", 2],
  ]);
  // Equal layers stand together.
  const folded = sentSums({ sent, kinds, figures, rows: new Set([1, 2]), apart: () => 1 });
  expect(folded.map(({ wire }) => wire)).toEqual([2n ** 53n, 280n]);
});
