-- Rows that replication leaves out, and that sync has copied. Unlogged itself: a crash of the target that empties unlogged
-- tables empties this one, too, so that the next sync copies them again.
CREATE UNLOGGED TABLE pgglide.aside_table (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  PRIMARY KEY (migration, schema_name, table_name)
);
