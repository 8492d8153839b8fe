-- What both sides had in common of each role when they were last looked at: what a role's drift is measured against. Null: of a
-- role that the target alone had before the application came to it.
CREATE TABLE pgglide.role_record (
  migration text NOT NULL REFERENCES pgglide.migration ON DELETE CASCADE,
  role_name text NOT NULL,
  facts jsonb,
  PRIMARY KEY (migration, role_name)
);
