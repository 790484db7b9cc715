// The tree of modules: who is below whom, what a row is called, what it and its operators add up to.
"use strict";
const data = ui.data();
const tree = {};

{
  const { name, type, parent } = data.rows;
  const children = name.map(() => []);
  const tops = [];
  parent.forEach((above, row) => (above < 0 ? tops : children[above]).push(row));
  tree.size = name.length;
  // Several roots stand below a row of their own, which is the whole block.
  tree.block = tops.length === 1 ? null : name.length;
  tree.top = tree.block ?? tops[0];
  tree.children = (row) => (row === tree.block ? tops : children[row]);
  tree.parent = (row) => (row === tree.top ? -1 : parent[row] < 0 ? tree.top : parent[row]);
  tree.type = (row) => (row === tree.block ? "" : type[row]);
  tree.name = (row) => (row === tree.block ? "Everything" : name[row] === "" ? "(root)" : name[row]);
  tree.key = (row) => (row === tree.block ? "(everything)" : name[row]);
  // Below its parent a module goes by what its name adds to the parent's.
  tree.short = (row) => {
    const above = tree.parent(row);
    const prefix = above < 0 || above === tree.block ? "" : `${name[above]}.`;
    const full = tree.name(row);
    return prefix.length > 1 && full.startsWith(prefix) ? full.slice(prefix.length) : full;
  };
  tree.metric = (key) => data.metrics.find((one) => one.key === key);
  tree.kind = (key) => tree.metric(key).kind;
  tree.label = (key) => tree.metric(key).label;
  tree.total = (row, metric) => (row === tree.block ? data.whole[metric] : data.total[metric][row]);
  tree.own = (row, metric) => (row === tree.block ? 0 : data.own[metric][row]);
  tree.calls = (row) => (row === tree.block ? "" : data.rows.calls[row]);
  tree.uncalled = new Set(data.rows.uncalled);
  tree.estimate = new Set(data.rows.estimate);
  tree.find = (key) => (key === "(everything)" && tree.block !== null ? tree.block : name.indexOf(key));
  tree.trail = (row) => {
    const rows = [];
    for (let at = row; at >= 0; at = tree.parent(at)) rows.unshift(at);
    return rows;
  };
  // The row and all below it, in the order of the model.
  tree.below = (row) => {
    const rows = [];
    const stack = [row];
    while (stack.length) {
      const at = stack.pop();
      if (at !== tree.block) rows.push(at);
      const under = tree.children(at);
      for (let i = under.length - 1; i >= 0; i -= 1) stack.push(under[i]);
    }
    return rows;
  };
  tree.depth = new Array(name.length).fill(0);
  for (const row of tree.below(tree.top)) tree.depth[row] = row === tree.top ? 0 : tree.block === tree.parent(row) ? 0 : tree.depth[tree.parent(row)] + 1;
}

// Operators of some rows with their figures added up exactly.
tree.operators = (rows) => {
  const { name, status, row, operator, calls, own } = data.operators;
  const wanted = new Set(rows);
  const sums = new Map();
  const metrics = Object.keys(own);
  for (let i = 0; i < row.length; i += 1) {
    if (!wanted.has(row[i])) continue;
    let sum = sums.get(operator[i]);
    if (!sum) sums.set(operator[i], (sum = { name: name[operator[i]], status: status[operator[i]], calls: 0n, values: metrics.map(() => 0n) }));
    sum.calls += BigInt(calls[i]);
    for (let m = 0; m < metrics.length; m += 1) sum.values[m] += BigInt(own[metrics[m]][i]);
  }
  return [...sums.values()].map((sum) => ({ ...sum, ...Object.fromEntries(metrics.map((metric, m) => [metric, sum.values[m]])) }));
};
