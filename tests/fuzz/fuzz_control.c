// SPDX-License-Identifier: Apache-2.0
/* Lines of the control protocol: any bytes give a request that is whole, or an error that is a
 * line. */
#include "admin/admin_internal.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct control_request request;
	struct control_error error = {0};
	struct strbuf out = {0};

	if (control_request_parse(slice_of(bytes, size), &request, &error) == 0) {
		assert(request.command < CONTROL_COMMAND_COUNT);
		assert(request.limit >= 1 && request.limit <= CONTROL_CONNECTIONS_MAX);
		assert(request.weight <= 256 && request.action <= ENDPOINT_MAINT);
		assert(request.command != CONTROL_ENDPOINT || (request.pool && request.endpoint));
		control_request_done(&request);
		return 0;
	}
	assert(memchr(error.message, '\0', sizeof(error.message)));
	reply_error(&out, error.code, error.message);
	assert(memchr(out.text, '\n', out.len) == out.text + out.len - 1);
	strbuf_done(&out);
	return 0;
}
