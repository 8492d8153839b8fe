-- The migration's own memory, on the target only. What exists on the servers is observed, never noted here.
CREATE TABLE pgglide.migration (
  name text PRIMARY KEY,
  phase text NOT NULL CHECK (phase IN ('new', 'syncing', 'following', 'switched', 'completed', 'aborted')),
  -- The commit point of every switchover is one UPDATE of these two columns.
  active_side text NOT NULL CHECK (active_side IN ('source', 'target')),
  epoch bigint NOT NULL CHECK (epoch >= 0),
  plan jsonb,
  -- Set while a switchover is under way: what a restarted tool must undo or finish.
  switchover jsonb,
  -- What the operator turned while sync runs: "pgglide throttle", "pgglide set".
  tuning jsonb NOT NULL DEFAULT '{}',
  source_system_identifier text NOT NULL,
  target_system_identifier text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE pgglide.event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  at timestamptz NOT NULL,
  type text NOT NULL,
  data jsonb NOT NULL
);
CREATE INDEX event_of_migration ON pgglide.event (migration, id);

-- The dumped schema, statement by statement; done_at is set in the statement's own transaction.
CREATE TABLE pgglide.schema_statement (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  n integer NOT NULL,
  statement jsonb NOT NULL,
  done_at timestamptz,
  PRIMARY KEY (migration, n)
);

-- How many parts a table is copied in, and in which lane; a table is copied when as many rows say so below.
CREATE TABLE pgglide.copy_table (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  lane integer NOT NULL,
  parts integer NOT NULL CHECK (parts > 0),
  PRIMARY KEY (migration, schema_name, table_name)
);

-- Written in the transaction that copied the part, so that neither exists without the other.
CREATE TABLE pgglide.copied_part (
  migration text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  part text NOT NULL,
  row_count bigint NOT NULL,
  bytes bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (migration, schema_name, table_name, part),
  FOREIGN KEY (migration, schema_name, table_name) REFERENCES pgglide.copy_table ON DELETE CASCADE
);

-- Roles that the migration created on the target, so that abort can take them away again.
CREATE TABLE pgglide.created_role (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  role_name text NOT NULL,
  PRIMARY KEY (migration, role_name)
);

-- The schema of each side as it was when both were last found to agree: what drift is measured against.
CREATE TABLE pgglide.schema_record (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  side text NOT NULL CHECK (side IN ('source', 'target')),
  objects jsonb NOT NULL,
  PRIMARY KEY (migration, side)
);
