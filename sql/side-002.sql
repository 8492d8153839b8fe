-- Whether this side's fence is raised: 0 lifted, all else raised, also before it was ever set. A sequence, because its value
-- is the same for every transaction at once, whatever snapshot it has, is written ahead and flushed like a row, and changes without DDL.
CREATE SEQUENCE pgglide.fence_state MINVALUE 0 MAXVALUE 1 START 0;
-- The fence's triggers read it as whoever writes.
GRANT SELECT ON SEQUENCE pgglide.fence_state TO PUBLIC;
