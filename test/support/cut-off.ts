/** A copy that does not come to its end. */

import { expect } from 'vitest';
import type { MigrationEvent } from '../../src/domain/event.ts';
import type { Scene } from './migration.ts';

/** One sync that ends as soon as it has told such an event. */
export async function cutOff(scene: Scene, isAt: (event: MigrationEvent) => boolean): Promise<void> {
  const controller = new AbortController();
  const stopped = scene.run((migration) => migration.sync(), {
    signal: controller.signal,
    onEvent: (event) => {
      if (isAt(event)) controller.abort(new Error('cut off'));
    },
  });
  await expect(stopped).rejects.toThrow('cut off');
}
