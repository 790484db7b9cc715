import js from "@eslint/js";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["node_modules/"] },
  js.configs.recommended,
  ...ts.configs.strict,
  {
    rules: {
      eqeqeq: "error",
      "no-restricted-properties": [
        "error",
        // Names of modules are a user's: they go into the page as text, never as markup.
        { property: "innerHTML", message: "Use textContent or el()." },
        { property: "outerHTML", message: "Use textContent or el()." },
        { property: "insertAdjacentHTML", message: "Use textContent or el()." },
      ],
      "@typescript-eslint/no-non-null-assertion": "off", // arrays are read at places known to exist
    },
  },
  { files: ["*.mjs"], languageOptions: { globals: { console: "readonly", URL: "readonly" } } },
);
