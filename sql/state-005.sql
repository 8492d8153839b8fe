-- What the migration has changed of the target's database and of roles that were there before: abort tells of it.
CREATE TABLE IF NOT EXISTS pgglide.cluster_change (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  -- Without secrets.
  description text NOT NULL,
  -- Dropping one of them undoes it.
  roles text[] NOT NULL,
  PRIMARY KEY (migration, description)
);
