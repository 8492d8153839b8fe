// The floor plan of ARCHITECTURE.md: which room may import which. One line a room; checked by `npm run check:floors`.
const rooms = {
  base: [],
  domain: ['base'],
  wire: ['base'],
  config: ['base', 'domain'],
  postgres: ['base', 'domain', 'config'],
  kubernetes: ['base', 'domain', 'config'],
  observers: ['base', 'domain', 'config'],
  proxy: ['base', 'domain', 'wire', 'config'],
  schema: ['base', 'domain', 'config', 'postgres'],
  copy: ['base', 'domain', 'config', 'postgres'],
  verify: ['base', 'domain', 'config', 'postgres'],
  state: ['base', 'domain', 'config', 'postgres'],
  engine: ['base', 'domain', 'config', 'postgres'],
  embedded: ['base', 'domain', 'config', 'postgres'],
  dashboard: ['base', 'domain', 'config', 'observers'],
  hooks: ['base', 'domain', 'config', 'observers'],
  traffic: ['base', 'domain', 'config', 'postgres', 'kubernetes'],
  steps: [
    'base',
    'domain',
    'wire',
    'config',
    'postgres',
    'kubernetes',
    'observers',
    'schema',
    'copy',
    'verify',
    'state',
    'engine',
    'traffic',
  ],
};
rooms.migration = [...rooms.steps, 'steps'];

const floorRules = Object.entries(rooms).map(([room, allowed]) => ({
  name: `${room}-imports-only-its-floor`,
  severity: 'error',
  from: { path: `^src/${room}/`, pathNot: '\\.test\\.ts$' },
  to: {
    path: '^(src|lab|bench|scripts|test)/',
    pathNot: [
      `^src/(${[room, ...allowed].join('|')})/`,
      ...(room === 'traffic' ? ['^src/proxy/control-types\\.ts$'] : []),
      ...(room === 'engine' ? ['^src/traffic/traffic-switch\\.ts$'] : []),
    ],
  },
}));

module.exports = {
  forbidden: [
    ...floorRules,
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'steps-never-import-steps',
      severity: 'error',
      from: { path: '^src/steps/([^/]+)\\.ts$', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/steps/' },
    },
    {
      name: 'lab-uses-the-public-face',
      severity: 'error',
      from: { path: '^lab/' },
      to: { path: '^src/', pathNot: '^src/index\\.ts$' },
    },
    {
      name: 'nobody-imports-the-cli',
      severity: 'error',
      from: { path: '^(src|lab)/', pathNot: ['^src/cli/', '\\.test\\.ts$'] },
      to: { path: '^src/(cli/|index\\.ts$)', pathNot: '^src/index\\.ts$' },
    },
    {
      name: 'domain-runs-in-a-browser',
      severity: 'error',
      from: { path: '^src/domain/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    {
      name: 'kubernetes-client-in-one-place',
      severity: 'error',
      from: { path: '^(src|lab)/', pathNot: ['^src/kubernetes/', '\\.test\\.ts$'] },
      to: { path: 'node_modules/@kubernetes/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'proxy-has-no-client-library',
      severity: 'error',
      from: { path: '^src/(proxy|wire)/', pathNot: '\\.test\\.ts$' },
      to: { path: 'node_modules/(pg|postgres)/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
