/** The error codes that anything here depends on, by their names in PostgreSQL: https://www.postgresql.org/docs/16/errcodes-appendix.html */

export const CONNECTION_FAILURE = '08006';
export const FEATURE_NOT_SUPPORTED = '0A000';
export const INVALID_PARAMETER_VALUE = '22023';
export const UNIQUE_VIOLATION = '23505';
export const CHECK_VIOLATION = '23514';
export const INVALID_AUTHORIZATION_SPECIFICATION = '28000';
export const INVALID_CATALOG_NAME = '3D000';
export const SERIALIZATION_FAILURE = '40001';
export const DEADLOCK_DETECTED = '40P01';
export const INSUFFICIENT_PRIVILEGE = '42501';
export const SYNTAX_ERROR = '42601';
export const UNDEFINED_OBJECT = '42704';
export const DUPLICATE_OBJECT = '42710';
export const UNDEFINED_FUNCTION = '42883';
export const UNDEFINED_TABLE = '42P01';
export const DISK_FULL = '53100';
export const TOO_MANY_CONNECTIONS = '53300';
export const CONFIGURATION_LIMIT_EXCEEDED = '53400';
export const OBJECT_NOT_IN_PREREQUISITE_STATE = '55000';
export const OBJECT_IN_USE = '55006';
export const LOCK_NOT_AVAILABLE = '55P03';
export const QUERY_CANCELED = '57014';
export const CANNOT_CONNECT_NOW = '57P03';
export const UNDEFINED_FILE = '58P01';
export const INTERNAL_ERROR = 'XX000';
