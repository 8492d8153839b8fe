-- What the migration has brought to the target, by its place in the catalogs: "class's oid/object's oid", and the name that it had then,
-- as a dump writes it. A renamed object is still ours, and one that has its old name now is not.
CREATE TABLE pgglide.brought_object (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  id text NOT NULL,
  kind text NOT NULL,
  schema text,
  name text NOT NULL,
  PRIMARY KEY (migration, id)
);
