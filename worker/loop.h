/*
 * loop.h: the built-in agent loop: ask the model, call the tools that it asks for, until it ends.
 */
#ifndef REEVE_WORKER_LOOP_H
#define REEVE_WORKER_LOOP_H

#include "worker/reeve.h"

/*
 * Executes one run, from run/begin to run/end. The same answers give the same requests, byte for byte: no
 * clock, no random source, nothing but what the broker said (INV-05). 0: the run has ended (well or with an error that
 * run/end told). Otherwise it could not be ended: cancelled, diverged, or the socket broke.
 *
 * The run's settings are its `agent` member: system, prompt, maxTurns, maxTokens, temperature. Its result is
 * {text, turns}.
 *
 * - A reply that is not a chat completion, and a status of 408, 429 or 5xx, is asked for again, at most twice
 *   (after a durable sleep in the second case). The repeated request is the same to the byte: the journal
 *   tells equal requests apart by their count, so a restart finds each answer again.
 * - A tool that does not exist, or arguments that are no JSON object, are told to the model as the call's
 *   result; three such turns in a row with no proper call among them end the run.
 * - A reply cut by length or by a content filter ends the run: half an answer is not an answer.
 * - Every 8 turns, once the conversation is over 64 KiB, it is kept as a checkpoint.
 */
int loop_run(struct reeve *r, struct err *err) NODISCARD;

#endif
