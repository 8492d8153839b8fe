/** Looks at a migration again and again, with the same sessions as long as they hold. */

import type { Migration } from '../migration/migration.ts';

export class Eye implements AsyncDisposable {
  readonly #open: () => Promise<Migration>;
  #migration: Promise<Migration> | undefined;

  constructor(open: () => Promise<Migration>) {
    this.#open = open;
  }

  /** After a failure the next look opens sessions anew. */
  async look<T>(at: (migration: Migration) => Promise<T>): Promise<T> {
    try {
      this.#migration ??= this.#open();
      return await at(await this.#migration);
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Closes the sessions; the next look opens new ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    const migration = this.#migration;
    this.#migration = undefined;
    await migration?.then((opened) => opened[Symbol.asyncDispose]()).catch(() => undefined);
  }
}
