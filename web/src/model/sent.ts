/** What was sent of some modules' data, added up from the lists of a run. */
import type { Raw } from "../shared/numbers.ts";
import type { CollectiveKinds, Sent } from "./payload.ts";

/** Calls of one collective in one process group, as far as they are of some modules. */
export interface SentSum {
  op: string;
  pattern: string;
  side: string;
  control: boolean;
  group: string;
  size: number;
  ranks: string;
  calls: bigint;
  payload: bigint;
  wire: bigint;
  /** Bytes on the wire by the row whose data it is, and by the row that ran; -1 for no module. */
  owners: Map<number, bigint>;
  issuers: Map<number, bigint>;
}

export interface SentOptions {
  sent: Sent;
  kinds: CollectiveKinds;
  figures: Record<string, Raw[]>;
  /** The rows whose data is meant. */
  rows: ReadonlySet<number>;
  /** What rows of modules stand together: by the number that it gives; null for all in one. */
  apart: ((row: number) => number) | null;
}

/** A sum for each collective and group, and for each owner and issuer if they are told apart; most wire bytes first. */
export const sentSums = ({ sent, kinds, figures, rows, apart }: SentOptions): SentSum[] => {
  const sums = new Map<string, SentSum>();
  const figure = (key: string, line: number): bigint => BigInt(figures[key]?.[line] ?? 0);
  sent.row.forEach((row, i) => {
    if (!rows.has(row)) return;
    const [kind, group, issuer, line] = [sent.kind[i]!, sent.groups[sent.group[i]!]!, sent.issuer[i]!, sent.line[i]!];
    const modules = apart ? `${apart(row)} ${issuer < 0 ? issuer : apart(issuer)}` : "";
    const key = `${kind} ${group} ${modules}`;
    let sum = sums.get(key);
    if (!sum) {
      sum = {
        op: kinds.op[kind]!,
        pattern: kinds.pattern[kind]!,
        side: kinds.side[kind]!,
        control: kinds.control[kind]!,
        group: kinds.groups.label[group]!,
        size: kinds.groups.size[group]!,
        ranks: kinds.groups.ranks[group]!,
        calls: 0n,
        payload: 0n,
        wire: 0n,
        owners: new Map(),
        issuers: new Map(),
      };
      sums.set(key, sum);
    }
    const wire = figure("wire_bytes", line);
    sum.calls += figure("calls", line);
    sum.payload += figure("payload_bytes", line);
    sum.wire += wire;
    sum.owners.set(row, (sum.owners.get(row) ?? 0n) + wire);
    sum.issuers.set(issuer, (sum.issuers.get(issuer) ?? 0n) + wire);
  });
  return [...sums.values()].sort(inOrder);
};

const inOrder = (a: SentSum, b: SentSum): number => {
  if (a.control !== b.control) return a.control ? 1 : -1;
  return Number(b.wire - a.wire) || Number(b.payload - a.payload) || (a.op < b.op ? -1 : 1);
};
