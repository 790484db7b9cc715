/** Starts the page of a diff. Its script reads the data as it is loaded, so it is loaded once the data is there. */
import { start } from "../shared/payload.ts";

void start(() => import("./diff.ts"));
