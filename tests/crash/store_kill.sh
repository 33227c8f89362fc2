#!/bin/bash
# A writer of the store is killed at each of its writes and syncs: nothing committed is lost, nothing is there by halves.
exec "${BUILD:-.build}/tests/crash/store_kill"
