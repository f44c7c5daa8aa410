// SPDX-License-Identifier: Apache-2.0
/* The databases that a configuration names, held against what it asks of them. */
#include "proxy/geography.h"
#include "proxy/places.h"

#include <errno.h>

uint32_t geography_wanted_by(const struct config_route *route)
{
	return (route->ncountry ? GEO_COUNTRY : 0) | (route->ncontinent ? GEO_CONTINENT : 0) |
	       (route->nasn ? GEO_ASN : 0);
}

static const char *name_of(uint32_t contents)
{
	return contents & GEO_COUNTRY     ? "countries"
	       : contents & GEO_CONTINENT ? "continents"
	       : contents & GEO_ASN       ? "autonomous systems"
					  : "coordinates";
}

static int check_listener(const struct config *config, const struct config_listener *listener,
			  uint32_t contents, struct strbuf *ret_errors)
{
	int err = 0;

	for (size_t i = 0; i < listener->nroutes; i++) {
		uint32_t missing = geography_wanted_by(&listener->routes[i]) & ~contents;

		if (!missing)
			continue;
		strbuf_printf(ret_errors,
			      "%s:%u: listener %s: the route asks for what none of geo.databases "
			      "has: %s\n",
			      config->path, listener->routes[i].line, listener->name,
			      name_of(missing));
		err = -EINVAL;
	}
	return err;
}

static int check_places(const struct config *config, const char *name,
			const struct config_places *places, uint32_t contents,
			struct strbuf *ret_errors)
{
	uint32_t missing = places_wanted(places) & ~contents;

	if (!missing)
		return 0;
	strbuf_printf(ret_errors,
		      "%s:%u:%u: guard.geo.%s asks for what none of geo.databases has: %s\n",
		      config->path, places->line, places->column, name, name_of(missing));
	return -EINVAL;
}

static int check_pool(const struct config *config, const struct config_pool *pool,
		      uint32_t contents, struct strbuf *ret_errors)
{
	if (!pool->is_nearest || (contents & GEO_POINT))
		return 0;
	strbuf_printf(ret_errors,
		      "%s:%u: pool %s: nearest asks for what none of geo.databases has: %s\n",
		      config->path, pool->line, pool->name, name_of(GEO_POINT));
	return -EINVAL;
}

/* All that is asked for and not there. */
static int check_contents(const struct config *config, uint32_t contents, struct strbuf *ret_errors)
{
	const struct config_guard_geo *guard = &config->guard.geo;
	int err = check_places(config, "block", &guard->block, contents, ret_errors);

	if (check_places(config, "allow", &guard->allow, contents, ret_errors))
		err = -EINVAL;
	for (size_t i = 0; i < config->nlisteners; i++)
		if (check_listener(config, &config->listeners[i], contents, ret_errors))
			err = -EINVAL;
	for (size_t i = 0; i < config->npools; i++)
		if (check_pool(config, &config->pools[i], contents, ret_errors))
			err = -EINVAL;
	return err;
}

/* One by one first, so that each complaint has its place. */
static int check_files(const struct config *config, const struct patience *patience,
		       struct strbuf *ret_errors)
{
	int first_err = 0;

	for (size_t i = 0; i < config->geo.ndatabases && !patience_is_over(patience); i++) {
		const struct config_file *file = &config->geo.databases[i];
		struct strbuf problem = {};
		struct geo *geo = NULL;
		int err = geo_open(&file->path, 1, &geo, &problem);

		if (err)
			strbuf_printf(ret_errors, "%s:%u:%u: databases: %s", config->path,
				      file->line, file->column,
				      problem.text ? problem.text : "out of memory\n");
		geo_unref(geo);
		strbuf_done(&problem);
		first_err = first_err ? first_err : err;
	}
	return !first_err && patience_is_over(patience) ? -ECANCELED : first_err;
}

static void list_paths(const struct config *config, const char *ret[GEO_DATABASES_MAX])
{
	for (size_t i = 0; i < config->geo.ndatabases; i++)
		ret[i] = config->geo.databases[i].path;
}

uint64_t geography_stamp(const struct config *config)
{
	const char *paths[GEO_DATABASES_MAX];

	list_paths(config, paths);
	return geo_stamp(paths, config->geo.ndatabases);
}

int geography_open(const struct config *config, const struct patience *patience, struct geo **ret,
		   struct strbuf *ret_errors)
{
	const char *paths[GEO_DATABASES_MAX];
	struct geo *geo = NULL;
	int err;

	*ret = NULL;
	if (!config->geo.ndatabases)
		return 0;
	err = check_files(config, patience, ret_errors);
	list_paths(config, paths);
	if (!err)
		err = geo_open(paths, config->geo.ndatabases, &geo, ret_errors);
	if (!err)
		err = check_contents(config, geo_contents(geo), ret_errors);
	if (err)
		geo_unref(geo);
	else
		*ret = geo;
	return err;
}

int geography_gather(const struct config *config, struct areas *like,
		     const struct patience *patience, struct geography *ret,
		     struct strbuf *ret_errors)
{
	struct geography geography = {};
	int err = geography_open(config, patience, &geography.geo, ret_errors);

	if (!err)
		err = areas_make(config, geography.geo, like, patience, &geography.areas,
				 ret_errors);
	if (err)
		geography_done(&geography);
	else
		*ret = geography;
	return err;
}

struct geography geography_ref(const struct geography *geography)
{
	return (struct geography){
		.geo = geography->geo ? geo_ref(geography->geo) : NULL,
		.areas = areas_ref(geography->areas),
	};
}

void geography_done(struct geography *geography)
{
	areas_unref(geography->areas);
	geo_unref(geography->geo);
	*geography = (struct geography){};
}
