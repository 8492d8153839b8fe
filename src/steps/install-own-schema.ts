import type { Side } from '../domain/names.ts';
import type { Action, Step } from '../engine/step.ts';
import { installFile, missingFiles } from '../state/install.ts';

type Facts = Readonly<Record<Side, readonly string[]>>;

/**
 * Installs our own schema `pgglide` on both sides: markers and fence everywhere, the migration's state on the target.
 * Touches nothing of the user's. `abort` and `complete` drop it.
 */
export const installOwnSchema: Step<Facts> = {
  id: 'install-own-schema',
  title: 'Our own schema on both sides',

  describe: () => ['source: run sql/side-*.sql', 'target: run sql/side-*.sql, sql/state-*.sql'],

  async observe({ source, target }) {
    const [onSource, onTarget] = await Promise.all([
      missingFiles(source, 'source'),
      missingFiles(target, 'target'),
    ]);
    return {
      satisfied: onSource.length + onTarget.length === 0,
      facts: { source: onSource, target: onTarget },
    };
  },

  actions(context, facts) {
    const install = (on: Side) =>
      facts[on].map((file): Action => {
        const connection = on === 'source' ? context.source : context.target;
        return { on, does: `run sql/${file}`, run: () => installFile(connection, file) };
      });
    return [...install('source'), ...install('target')];
  },
};
