/** Roles that Amazon, Google and Microsoft keep for themselves, and make on a server of theirs. */

const AMAZON_AND_MICROSOFT: ReadonlySet<string> = new Set([
  'rds_ad',
  'rds_extension',
  'rds_iam',
  'rds_password',
  'rds_replication',
  'rds_reserved',
  'rds_superuser',
  'rdsadmin',
  'rdsproxyadmin',
  'rdsrepladmin',
  'rdstopmgr',
  'rdswriteforwarduser',
  'azure_pg_admin',
  'azure_superuser',
  'azuresu',
]);

/** Google's grow in number, and are one word each: cloudsqladmin, cloudsqliamuser, alloydbsuperuser ... */
const GOOGLE = /^(cloudsql|alloydb)[a-z]+$/;

/** By name alone: what people call rds_reporting or azure_app is theirs. */
export const isOfProvider = (name: string): boolean => AMAZON_AND_MICROSOFT.has(name) || GOOGLE.test(name);
