/* The states of a task:
 *
 *   STATE(symbol, "name in A2A 0.3", "name in A2A 1.0", settled)
 *
 * settled: waiting longer brings nothing, it is told as it is. */
STATE(submitted, "submitted", "TASK_STATE_SUBMITTED", false)
STATE(working, "working", "TASK_STATE_WORKING", false)
STATE(input_required, "input-required", "TASK_STATE_INPUT_REQUIRED", true)
STATE(auth_required, "auth-required", "TASK_STATE_AUTH_REQUIRED", true)
STATE(completed, "completed", "TASK_STATE_COMPLETED", true)
STATE(failed, "failed", "TASK_STATE_FAILED", true)
STATE(canceled, "canceled", "TASK_STATE_CANCELED", true)
STATE(rejected, "rejected", "TASK_STATE_REJECTED", true)
STATE(unknown, "unknown", "TASK_STATE_UNSPECIFIED", false)
