-- Large objects that both sides had when they were last carried over: only of these may one be replaced or removed.
CREATE TABLE pgglide.large_object (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  loid oid NOT NULL,
  PRIMARY KEY (migration, loid)
);
