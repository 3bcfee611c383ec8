import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { brokenVersion, deployManyTimes, firstVersion } from '../traffic_load/deploys.ts';
import { endRouter, killAgent, killAgentInDeploy, killInstance, killRouter } from '../traffic_load/kills.ts';
import { Load } from '../traffic_load/load.ts';
import { Stage } from '../traffic_load/stage.ts';

let stage: Stage;
let load: Load;
before(async () => {
  stage = await Stage.open();
  const { status, body } = await stage.deploy(firstVersion, 'good');
  assert.equal(status, 200, JSON.stringify(body));
  await stage.routersAreUp();
  load = new Load(stage, { httpClients: 16, webSockets: 100 }, brokenVersion);
  await load.webSockets.allEcho();
});
after(async () => {
  await load?.stop();
  await stage?.close();
});

test('twelve deploys in a row, every fourth of them broken, fail no request and end WebSockets only with 1012', async (t) => {
  await deployManyTimes(stage, load, {
    count: 12,
    brokenEvery: 4,
    onDeployed: (message) => t.diagnostic(message),
  });
  assert.ok(load.webSockets.returns > 0);
  t.diagnostic(String(load));
});

test('the agent is killed and the next one takes over: no client notices', () => killAgent(stage, load));

test('the agent is killed in the midst of a deploy, and the next one goes on with it: no client notices', () =>
  killAgentInDeploy(stage, load));

test('one of two routers ends in order: no request fails, and WebSockets end with 1012', () =>
  endRouter(stage, load));

test('one of two routers is killed: no connection but its own ends', () => killRouter(stage, load));

test('an instance is killed: nothing fails but what was under way on it', () => killInstance(stage, load));

test('nothing is left of any of that but what clients have closed themselves', async () => {
  await load.stop();
  load.assertNothingFailed();
  assert.deepEqual(await stage.close(), []);
});
