-- A row for each class of objects (tables, columns, ...): the whole schema of thousands of tables is too large for one value.
CREATE TABLE pgglide.schema_class (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  side text NOT NULL CHECK (side IN ('source', 'target')),
  class text NOT NULL,
  objects jsonb NOT NULL,
  PRIMARY KEY (migration, side, class)
);

INSERT INTO pgglide.schema_class (migration, side, class, objects)
SELECT migration, side, key, value FROM pgglide.schema_record, jsonb_each(objects->'classes');

ALTER TABLE pgglide.schema_record ADD COLUMN hash text;
UPDATE pgglide.schema_record SET hash = objects->>'hash';
ALTER TABLE pgglide.schema_record ALTER COLUMN hash SET NOT NULL, DROP COLUMN objects;
