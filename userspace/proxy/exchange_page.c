// SPDX-License-Identifier: Apache-2.0
/* Which page an error is answered with. */
#include "proxy/exchange.h"

#include "http/error_page.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

/* The client can tell us the number, and we find it in the log. */
static int own_page(struct exchange *exchange, unsigned status, bool was_read,
		    struct http_page *ret)
{
	const struct http_page *page = http_error_page(status,
						       was_read ? &exchange->request.fields : NULL);

	if (page->status != status)
		return http_error_page_plain(status, &exchange->arena, ret);
	*ret = *page;
	if (!exchange->request_id.len)
		return 0;
	return http_error_page_sign(ret, exchange->request_id, &exchange->arena);
}

int exchange_page(struct exchange *exchange, unsigned status, bool was_read, struct reply *reply)
{
	const struct error_pages *pages = exchange->client->session->listener->error_pages;
	struct http_page page;
	int err = 0;

	if (!error_pages_find(pages, status, &page))
		err = own_page(exchange, status, was_read, &page);
	if (err)
		return err;
	reply->status = page.status;
	reply->body = page.body;
	return http_fields_set_id(&reply->fields, HTTP_FIELD_CONTENT_TYPE, page.type);
}
