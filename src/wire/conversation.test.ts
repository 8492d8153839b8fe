import { describe, expect, test } from 'vitest';
import { Conversation } from './conversation.ts';
import { F } from './message-type.ts';

const STATUS = { I: 0x49, T: 0x54, E: 0x45 } as const;

/** Capital words are what the client sends; Z? the server's ReadyForQuery, G its CopyInResponse, ! its error, ok its last word about a message. */
function following(story: string): Conversation {
  const conversation = new Conversation();
  const sent: Record<string, number> = {
    Query: F.query,
    Parse: F.parse,
    Bind: F.bind,
    Execute: F.execute,
    Sync: F.sync,
    Flush: F.flush,
    Data: F.copyData,
    Done: F.copyDone,
    Fail: F.copyFail,
  };
  for (const word of story.split(' ').filter((part) => part !== '')) {
    const type = sent[word];
    if (type !== undefined) conversation.sent(type);
    else if (word === 'G') conversation.copyBegan();
    else if (word === '!') conversation.failed();
    else if (word === 'ok') conversation.completed();
    else conversation.ready(STATUS[word.slice(1) as keyof typeof STATUS]);
  }
  return conversation;
}

describe('a conversation', () => {
  test.each([
    ['', true],
    ['Query', false],
    ['Query ZI', true],
    ['Query ZT', false],
    ['Query ZT Query ZI', true],
    ['Query ZE', false],
    ['Parse', false],
    ['Parse Bind Execute Sync', false],
    ['Parse Bind Execute Sync ZI', true],
    ['Parse Bind Execute Sync Parse Bind Execute Sync ZI', false],
    ['Parse Bind Execute Sync Parse Bind Execute Sync ZI ZI', true],
    ['Parse Bind Execute Flush', false],
    ['Parse Bind Execute Flush Query', false],
    ['Parse Bind Execute Flush Query ZI', true],
    ['Parse Bind Execute Flush Query ZT', false],
    ['Parse Bind Execute Flush Query Parse ZI', false],
    ['Parse Bind Execute Flush Query Parse Sync ZI ZI', true],
    ['Parse Bind Execute Query Query ZI', false],
    ['Parse Bind Execute Query Query ZI ZI', true],
    ['Query G', false],
    ['Query G Data Done', false],
    ['Query G Data Done ZI', true],
    ['Query G Data ! ZI Data Done', true],
    ['Query G Data ! ZI Done Parse Bind Execute Sync G Data Done Sync ZI', true],
    ['Parse Bind Execute Sync G', false],
    ['Parse Bind Execute Sync G Data Done', false],
    ['Parse Bind Execute Sync G Data Done Sync ZI', true],
    ['Parse Bind Execute Sync Data Done Sync G', false],
    ['Parse Bind Execute Sync Data Done Sync G ZI', true],
    ['Parse Bind Execute Data Done Sync G ZI', true],
    ['Query Data Done G ZI', true],
    ['Parse Bind Execute Sync Data Done Sync ! ZI', false],
    ['Parse Bind Execute Sync Data Done Sync ! ZI ZI', true],
    ['Parse Bind Execute Flush G Data Done Sync ZI', true],
    ['Parse Bind Execute Sync G Data ! Done Sync ZI', true],
    ['Parse Bind Execute Sync G Sync Data Fail Sync ! ZI', true],
    ['Parse Bind Execute Sync Sync G', false],
    ['Parse Bind Execute Sync Sync G Data Done', false],
    ['Parse Bind Execute Sync Sync G Data Done Sync', false],
    ['Parse Bind Execute Sync Sync G Data Done Sync ZI', true],
    ['Parse Bind Execute Sync Sync Data Done Sync G ZI', true],
    ['Parse Bind Execute Sync Sync G Data Fail Sync ! ZI', true],
    ['Parse Bind Execute Sync Sync ! ZI', false],
    ['Parse Bind Execute Sync Sync ! ZI ZI', true],
    ['Parse Bind Execute Sync Parse Bind Execute Sync Sync ok ok ok ZI ok ok G Data Done Sync ok ZI', true],
    ['Parse Bind Execute Sync Data Done G', false],
    ['Parse Bind Execute Sync Data Done G Sync ZI', true],
    ['Parse Bind Execute Sync ok ok ok ZI Sync ZI Query Sync Data Done G ZI', true],
    ['Query Sync G Data Done ZI', true],
    ['Query Sync Sync G Data Done ZI', true],
    ['Query Sync Data Done G ZI', true],
    ['Query Data Done Query Data Done G ZI G', false],
    ['Query Data Done Query Data Done G ZI G ZI', true],
    ['Query Data Done Data Done G G ZI', true],
    ['Parse Bind Execute Sync Data Done Sync ok ok ! ZI ZI Query G', false],
    ['Parse Bind Execute Sync Data Done Sync ok ok ! ZI ZI Query G Data Done ZI', true],
    ['Parse Bind Execute Sync Data Done Parse Bind Execute Sync ok ok ! ZI ok ok ok', false],
    ['Parse Bind Execute Sync Data Done Parse Bind Execute Sync ok ok ! ZI ok ok ok ZI', true],
    ['Parse Bind Execute Query Sync ok ok ! ZI', true],
    ['Parse Bind Execute Query ok ok ! Sync ZI', true],
    ['Parse Bind Execute ok ok ! Query', false],
    ['Parse Bind Execute ok ok ! Query Query Sync ZI', true],
    ['Parse Bind Execute Query Sync ok ok ok ! ZI', false],
    ['Parse Bind Execute Query Sync ok ok ok ! ZI ZI', true],
    ['Parse ! Query Sync ZI Query', false],
    ['Parse ! Query Sync ZI Query ZI', true],
    ['Parse Sync Parse Query Sync ! ZI ok ZI', false],
    ['Parse Sync Parse Query Sync ! ZI ok ZI ZI', true],
    ['Parse Query Sync Parse Query Sync ! ZI ! ZI', true],
    ['Parse Bind Execute Sync ok ok G !', false],
    ['Parse Bind Execute Sync ok ok G ! ZI', true],
    ['Parse Bind Execute Sync ok ok G ! ZI Done Sync', false],
    ['Parse Bind Execute Sync ok ok G ! ZI Done Sync ZI', true],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI', true],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI ZI', true],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI Query ZI', false],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI Query ZI ok ZI', true],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI Parse Sync ZI', false],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI Parse Sync ok ZI', true],
    ['Parse Bind Execute Flush ok ok G Data Sync ! ZI', true],
    ['Parse Bind Execute Flush ok ok G Data Sync ! Parse ZI', false],
    ['Parse Bind Execute Flush ok ok G Data Sync ! Parse ZI Sync ok ZI', true],
    ['Parse Bind Execute Flush ok ok G Data Sync Done Sync ok ZI Query ZI', true],
    ['Query G Data Sync ! ZI', true],
    ['Query G Data Sync ! ZI ZI Query ok', false],
    ['Query G Data Sync ! ZI Query ZI', false],
    ['Query G Data Sync ! ZI Query ZI ok ZI', true],
    ['Flush ! Query Sync', false],
    ['Flush ! Query Sync ZI', true],
  ])('after "%s" is idle: %s', (story, isIdle) => {
    expect(following(story).isIdle).toBe(isIdle);
  });

  test.each([
    ['Parse Bind Execute Sync ok ok G Sync ! ZI', 1],
    ['Parse Bind Execute Sync ok ok G ! ZI', 0],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI', 1],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI ZI', 0],
    ['Parse Bind Execute Sync ok ok G Data Done Sync ! ZI Query ok', 0],
    ['Parse Bind Execute Sync ok ok G Data Sync Done Sync ok ZI', 0],
    ['Query G Data Sync ! ZI', 1],
  ])('after "%s" %d more answers may come', (story, uncertain) => {
    expect(following(story).uncertain).toBe(uncertain);
  });

  test.each([
    ['', F.query, true],
    ['Query ZT', F.query, false],
    ['Query', F.query, true],
    ['Parse', F.bind, false],
    ['Parse Bind Execute Sync', F.parse, true],
    ['Query G', F.copyData, false],
    ['', F.terminate, false],
  ])('after "%s" a pause may hold message %d: %s', (story, type, may) => {
    expect(following(story).mayHoldBefore(type)).toBe(may);
  });
});
