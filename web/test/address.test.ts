// @vitest-environment jsdom
import { beforeEach, expect, it } from "vitest";
import { Address } from "../src/model/address.ts";
import { el } from "../src/shared/dom.ts";
import { form, USUAL, type Place, type Shown } from "../src/model/state.ts";

const usual: Shown = { ...USUAL, metric: "flops" };
let now: Place;
let restored: Place[];

/** The address of a page that lacks all modules but those of these names. */
const opened = (hash: string, names: string[]): Address<Place> => {
  history.replaceState(null, "", hash || location.pathname);
  const address = new Address(form(usual, () => now));
  address.follow((place) => {
    restored.push(place);
    return names.includes(place.name) ? [] : [`the module ${place.name}`];
  });
  return address;
};
const note = (): string | null => {
  const gone = document.getElementById("gone")!;
  return gone.hidden ? null : gone.textContent;
};

beforeEach(() => {
  document.body.replaceChildren(el("p", { id: "gone", hidden: true }));
  now = { name: "", shown: usual };
  restored = [];
});

it("restores what the address tells, and says what of it the page does not have", () => {
  opened("#conv1&metric=params", ["conv1"]);
  expect(restored).toEqual([{ name: "conv1", shown: { ...usual, metric: "params" } }]);
  expect(note()).toBeNull();
  opened("#gone\u202e", [""]);
  expect(note()).toBe("The link leads to what this page does not have: the module gone\\u202e.");
});

it("begins as usual where the address cannot be read, and says so", () => {
  opened("#%E0%A4%A", [""]);
  expect(restored).toEqual([{ name: "", shown: usual }]);
  expect(note()).toBe("The link leads to what this page does not have: a view that can be read.");
});

it("a selection is a step that the Back button undoes, and all else is not", () => {
  const address = opened("", ["", "conv1"]);
  const steps = history.length;
  now = { name: "", shown: { ...usual, metric: "params" } };
  address.remember();
  expect([location.hash, history.length]).toEqual(["#&metric=params", steps]);
  now = { name: "conv1", shown: usual };
  address.remember(true);
  expect([location.hash, history.length]).toEqual(["#conv1", steps + 1]);
  address.remember(true); // the same view is no step
  expect(history.length).toBe(steps + 1);
});

it("writes nothing while the view has its usual form and the address has none", () => {
  const address = opened("", [""]);
  address.remember();
  expect(location.href).not.toContain("#");
});

it("does not take the restoring of a view for a change of it", () => {
  history.replaceState(null, "", "#conv1&metric=params");
  const address = new Address(form(usual, () => now));
  address.follow(() => {
    address.remember(); // what a page does when it shows another module
    return [];
  });
  expect(location.hash).toBe("#conv1&metric=params");
  now = { name: "fc", shown: usual };
  history.replaceState(null, "", "#fc");
  dispatchEvent(new PopStateEvent("popstate"));
  expect(location.hash).toBe("#fc");
});
