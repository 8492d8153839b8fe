// Preloaded into the tool (NODE_OPTIONS=--import): sends itself a signal at the very moment it logs a given event, so
// that a test kills it between two steps and not some milliseconds later. PGGLIDE_TEST_KILL_AT is a KillAt of tool.ts.
const wanted = JSON.parse(process.env.PGGLIDE_TEST_KILL_AT);
const write = process.stderr.write.bind(process.stderr);
let seen = 0;

function matches(line) {
  if (!line.startsWith('{"type"')) return false;
  const { type, data } = JSON.parse(line);
  if (type !== wanted.type) return false;
  const step = typeof data.step === 'object' ? data.step.id : data.step;
  if (wanted.step !== undefined && step !== wanted.step) return false;
  seen += 1;
  return seen === (wanted.nth ?? 1);
}

process.stderr.write = (text, ...rest) => {
  const written = write(text, ...rest);
  if (String(text).split('\n').some(matches)) process.kill(process.pid, wanted.signal ?? 'SIGKILL');
  return written;
};
