import type { CommandDefinition } from '../command.ts';

export const lab: CommandDefinition = {
  name: 'lab',
  group: 'Also',
  summary: 'start|grade|hint|solve|reset|stop the hands-on lab',
  description:
    'The lab “Zero-Downtime Migration”, on this machine or in a cluster: start brings up a shop under load on PostgreSQL 15, grade says how far its migration to 16 has come (100 points), hint prints a hint, solve does the migration with pgglide, reset begins anew, as it was where nothing else is said, stop ends every process or pod and removes the folder. It drives the scripts of lab/, which need a checkout; lab/README.md is the learner’s page.',
  arguments: [
    {
      name: '<action>',
      description: 'what to do',
      choices: ['start', 'grade', 'hint', 'solve', 'reset', 'stop'],
    },
    { name: '[number]', description: 'of the hint (1)', choices: ['1', '2', '3', '4', '5'] },
  ],
  options: [
    { flags: '--dir <folder>', description: 'the lab’s folder (.pgglide/lab of the checkout, or LAB_DIR)' },
    { flags: '--mode <mode>', description: 'local: processes of this machine; k8s: pods of a cluster' },
    { flags: '--rows <n>', description: 'start, reset: rows of the shop’s database (200000)' },
    { flags: '--rate <n>', description: 'start, reset: requests per second (500)' },
    { flags: '--context <name>', description: 'start, reset with --mode k8s: which cluster' },
    {
      flags: '--namespace <name>',
      description: 'start, reset with --mode k8s: made for the lab (lab-migration)',
    },
    {
      flags: '--image <name>',
      description: 'start, reset with --mode k8s: of shop and load (pgglide:VERSION)',
    },
    { flags: '--json <file>', description: 'grade: where the results go (grade.json)' },
    { flags: '--only <ids>', description: 'grade: these checks alone' },
  ],
  exitCodes: {
    1: 'grade: not passed yet',
    2: 'the lab is not up or broken: pgglide lab reset',
    3: 'grade: the witness was tampered with',
  },
  async run(context, options, args) {
    const { runLab } = await import('../run-lab.ts');
    return await runLab(context, options, args);
  },
};
