#!/usr/bin/env node
// On the PATH as kubectl-pgglide this is `kubectl pgglide`.
import { loadCli } from './load.js';

const { main } = await loadCli('kubectl-plugin');
process.exitCode = await main(process.argv.slice(2));
