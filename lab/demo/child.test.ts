import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { startTimeOf } from '../labctl/local/processes.ts';
import { Children } from './child.ts';

const WAITING = [process.execPath, '-e', 'console.log("here"); setInterval(() => undefined, 1000)'];
const isHere = (line: string) => line === 'here' || undefined;

test('ends what it started, and starts nothing from then on', async () => {
  const children = new Children();
  const { stop } = await children.start(WAITING, {}, isHere);
  await children.end();
  expect(await stop()).toEqual(['here']);
  await expect(children.start(WAITING, {}, isHere)).rejects.toThrow('everything is being ended');
  await expect(children.run([process.execPath, '-e', ''], {})).rejects.toThrow('everything is being ended');
});

test('what a program has said is read to its end, also when the program is gone before', async () => {
  const later = `while kill -0 $0 2>/dev/null; do sleep 0.01; done; echo late`;
  const program = `require('node:child_process').spawn('sh', ['-c', '${later}', String(process.pid)], { stdio: 'inherit' }).unref()`;
  const { exitCode, stdout } = await new Children().run([process.execPath, '-e', program], {});
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'late\n' });
});

test('what it started ends with the demo, also when that is killed', async () => {
  const waiting = 'console.log(process.pid); setInterval(() => undefined, 1000)';
  const program = `import { Children } from '${new URL('child.ts', import.meta.url)}';
    const { ready } = await new Children().start([process.execPath, '-e', '${waiting}'], {}, Number);
    console.log(ready);`;
  const demo = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(demo.stdout, 'data')) as [Buffer];
  const pid = Number(said);
  expect(startTimeOf(pid)).toBeDefined();
  demo.kill('SIGKILL');
  await vi.waitUntil(() => startTimeOf(pid) === undefined, { timeout: 20_000 });
}, 30_000);
