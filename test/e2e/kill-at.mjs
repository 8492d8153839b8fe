import pg from 'pg';

// Preloaded into the tool (NODE_OPTIONS=--import): sends itself a signal at the very moment it logs a given event, so
// that a test kills it between two steps and not some milliseconds later; or when a server has answered a given statement,
// because in the pause nothing is logged. PGGLIDE_TEST_KILL_AT is a KillAt of tool.ts.
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

const query = pg.Client.prototype.query;
const statements = wanted.statement === undefined ? undefined : new RegExp(wanted.statement);
const before = wanted.after === undefined ? undefined : new RegExp(wanted.after);
let counts = before === undefined;

pg.Client.prototype.query = function (statement, ...rest) {
  const answer = query.call(this, statement, ...rest);
  const text = String(typeof statement === 'string' ? statement : statement?.text);
  const isWanted = statements?.test(text) ?? false;
  const isBefore = before?.test(text) ?? false;
  if (!isWanted && !isBefore) return answer;
  return answer.then((result) => {
    if (isWanted && counts) seen += 1;
    if (isWanted && counts && seen === (wanted.nth ?? 1))
      process.kill(process.pid, wanted.signal ?? 'SIGKILL');
    counts ||= isBefore;
    return result;
  });
};
