/** Preloaded into a program: leaves its highest resident memory, in MB, in the file that PEAK_MEMORY_FILE names. */

import { writeFileSync } from 'node:fs';

process.on('exit', () => {
  writeFileSync(process.env.PEAK_MEMORY_FILE, String(process.resourceUsage().maxRSS / 1000));
});
