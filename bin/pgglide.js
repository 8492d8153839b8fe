#!/usr/bin/env node
import { loadCli } from './load.js';

const { main } = await loadCli('main');
await main(process.argv.slice(2));
