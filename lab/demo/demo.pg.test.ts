import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const DEMO = fileURLToPath(new URL('main.ts', import.meta.url));

/** Of the demo and all that it starts: they keep their files in this folder. */
async function processesIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')),
  );
  return pids.filter((_, index) => environments[index]?.includes(folder));
}

test.runIf(process.platform === 'linux')(
  'a demo whose reader goes away, as with `| head -1`, ends everything that it started, also when it is told twice',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-demo-test-'));
    // As root, the servers run as somebody else, who must get in.
    await chmod(folder, 0o755);
    const small = ['--rows', '200', '--rate', '20'];
    const demo = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), DEMO, ...small], {
      cwd: folder,
      // Variables of the user's about other servers are none of its business.
      env: { ...process.env, TMPDIR: folder, PGOPTIONS: '-c nonsense=on' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const ended = new Promise<number | null>((resolve) => demo.once('exit', resolve));
      await Promise.race([once(demo.stdout, 'data'), ended]);
      demo.stdout.destroy();
      for (let time = 0; time < 2; time += 1) demo.kill('SIGINT');
      expect(await ended).toBe(130);
      expect(await processesIn(folder)).toEqual([]);
      // The loader keeps what it compiled there.
      expect((await readdir(folder)).filter((name) => !name.startsWith('tsx-'))).toEqual([]);
    } finally {
      demo.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  },
);
