// @vitest-environment jsdom
import { expect, it } from "vitest";
import { csv, fitting, matches, sorted, widthOf, type Column } from "../src/shared/table/columns.ts";

interface Row {
  name: string;
  size: number | bigint | null;
}
const columns: Column<Row>[] = [
  { key: "name", label: "Name", value: ({ name }) => name, text: ({ name }) => name, search: true },
  { key: "size", label: "Size", num: true, value: ({ size }) => size, text: ({ size }) => String(size) },
];
const rows: Row[] = [
  { name: "b", size: 2 },
  { name: "a", size: null },
  { name: "c", size: 10n ** 30n },
  { name: "d", size: 2 },
];
const names = (key: string, down: boolean): string =>
  sorted(rows, columns, { key, down })
    .map(({ name }) => name)
    .join("");

it("sorts figures by size, whatever holds them, and what is missing last", () => {
  expect(names("size", true)).toBe("cbda");
  expect(names("size", false)).toBe("bdca");
  expect(names("name", false)).toBe("abcd");
  expect(sorted(rows, columns, null)).toEqual(rows);
});

it("searches the columns that are searched, in any case", () => {
  expect(matches(rows[0]!, columns, "b")).toBe(true);
  expect(matches(rows[0]!, columns, "2")).toBe(false);
});

it("writes CSV that a spreadsheet reads as text and figures", () => {
  const odd: Row[] = [
    { name: '=cmd("x")', size: -5 },
    { name: 'a,"b"\n', size: 10n ** 20n },
  ];
  expect(csv(odd, columns)).toBe('Name,Size\r\n"\'=cmd(""x"")",-5\r\n"a,""b""\n",100000000000000000000\r\n');
});

it("writes into a file what stands in it by a name and a value of its own", () => {
  const change: Column<Row> = {
    key: "change",
    label: "Change",
    num: true,
    value: ({ size }) => Math.abs(Number(size)), // sorted by size
    text: ({ size }) => String(size),
    file: { label: () => "Change of FLOPs", value: ({ size }) => size },
  };
  expect(csv([{ name: "a", size: -5 }], [change])).toBe("Change of FLOPs\r\n-5\r\n");
});

it("shows as many columns as there is room for: those that yield go first, then others from the right", () => {
  const named = (key: string): Column<Row> => ({
    key,
    label: key,
    value: () => 0,
    text: () => "",
    room: () => "999 MB",
  });
  const all = [...["name", "flops", "macs", "time"].map(named), { ...named("asked for"), hidden: true }];
  const [first, flops, macs, time] = all.map(widthOf) as [number, number, number, number];
  const left = (room: number): string => fitting(all, room, ["macs", "absent", "name"]).join(" ");
  expect(left(first + flops + macs + time)).toBe("name flops macs time");
  expect(left(first + flops + macs + time - 1)).toBe("name flops time");
  expect(left(first + flops + time - 1)).toBe("name flops");
  expect(left(0)).toBe("name"); // the first column never goes
  const open = { ...all[0]!, room: undefined };
  expect(fitting([open, all[1]!], 300 + flops - 1, [])).toEqual(["name"]); // names of any length have 300 pixels
  expect(fitting([open, all[1]!], 300 + flops, [])).toEqual(["name", "flops"]);
});
