import { expect, test } from 'vitest';
import { isOfProvider } from './provider-roles.ts';

test("a role is the provider's by its whole name, not by how it begins", () => {
  const theirs = [
    'rdsadmin',
    'rds_superuser',
    'rdstopmgr',
    'azuresu',
    'azure_pg_admin',
    'cloudsqliamgroupuser',
  ];
  const ours = ['rds_reporting', 'rdsapp', 'azure_app', 'azurebilling', 'cloudsql_app', 'alloydb-job', 'app'];
  expect(theirs.filter(isOfProvider)).toEqual(theirs);
  expect(ours.filter(isOfProvider)).toEqual([]);
});
