import { defineConfig } from "vitest/config";

const PATIENCE = 60_000; // ms: no test fails because the machine is busy

export default defineConfig({
  test: { include: ["test/**/*.test.ts"], testTimeout: PATIENCE, hookTimeout: PATIENCE },
});
