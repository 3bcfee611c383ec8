import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { brokenVersion, deployManyTimes, firstVersion } from './deploys.ts';
import { endRouter, killAgent, killAgentInDeploy, killInstance, killRouter } from './kills.ts';
import { Load } from './load.ts';
import { Stage } from './stage.ts';

const usage = `npm run traffic -- [options]

Deploys many times under load, and kills or ends the agent, a router and an instance; ends with what did not hold, or with what went through.

Options:
  --deploys <n>        how many; default: 100
  --broken-every <n>   which of them are broken; default: every 5th
  --http-clients <n>   default: 32
  --websockets <n>     default: 1000
  --kills <n>          how often each is killed; default: 5
  --strategy <name>    of the deploys; default: rolling
`;

const { values: options } = parseArgs({
  options: {
    deploys: { type: 'string', default: '100' },
    'broken-every': { type: 'string', default: '5' },
    'http-clients': { type: 'string', default: '32' },
    websockets: { type: 'string', default: '1000' },
    kills: { type: 'string', default: '5' },
    strategy: { type: 'string', default: 'rolling' },
    help: { type: 'boolean', default: false },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function prove(stage: Stage): Promise<void> {
  assert.equal((await stage.deploy(firstVersion, 'good')).status, 200);
  await stage.routersAreUp();
  const size = { httpClients: Number(options['http-clients']), webSockets: Number(options.websockets) };
  const load = new Load(stage, size, brokenVersion);
  await load.webSockets.allEcho();
  say(`${size.httpClients} HTTP clients and ${size.webSockets} WebSockets are there`);
  const brokenEvery = Number(options['broken-every']);
  await deployManyTimes(stage, load, { count: Number(options.deploys), brokenEvery, onDeployed: say });
  for (let round = 1; round <= Number(options.kills); round += 1) {
    for (const kill of [killAgent, killAgentInDeploy, endRouter, killRouter, killInstance]) {
      await kill(stage, load);
      say(`${kill.name}, time ${round}: held`);
    }
  }
  await load.stop();
  load.assertNothingFailed();
  say(String(load));
}

if (options.help) say(usage);
else {
  const stage = await Stage.open(options.strategy);
  try {
    await prove(stage);
    assert.deepEqual(await stage.close(), [], 'processes are left over');
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    await stage.close();
    process.exit(1);
  }
}
