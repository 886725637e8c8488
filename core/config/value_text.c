/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that have a form: URLs, paths, regular expressions, references to secrets. Called by
 * config/value.c, on the thread that checks. None of these texts gets into a message: the ones
 * that are wrong are likely to hold a password.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "config/values.h"

#include <ctype.h>
#include <pcre2.h>
#include <strings.h>

static bool fail(const struct config_value_check *check, const char *problem,
                 const char *remedy)
{
    struct diag *diag = config_value_fail(check, "%s", problem);

    if (!check->is_default)
        diag_remedy(check->diags, diag, "%s", remedy);
    return false;
}

static bool has_control(tr_str text, unsigned char up_to)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= up_to || text.ptr[i] == 0x7f)
            return true;
    return false;
}

/* What lies between "//" and the path. */
static tr_str authority_of(tr_str url, size_t scheme_len)
{
    tr_str rest = str_from(url, scheme_len);
    size_t len = 0;

    while (len < rest.len && !strchr("/?#", rest.ptr[len]))
        len++;
    return str_n(rest.ptr, len);
}

/* "host", "host:5984", "[::1]:5984" */
static bool is_host_port(tr_str host)
{
    size_t end = host.len > 0 && host.ptr[0] == '[' ? str_find(host, ']') + 1 : 0;
    tr_str port;
    tr_str name = str_n(host.ptr, 0);
    long number = 0;

    if (end > host.len)
        return false;
    name.len = end + str_find(str_from(host, end), ':');
    if (name.len == 0 || (end > 0 && name.len != end))
        return false;
    if (name.len == host.len)
        return true;
    port = str_from(host, name.len + 1);
    if (port.len == 0 || port.len > 5)
        return false;
    for (size_t i = 0; i < port.len; i++) {
        if (!isdigit((unsigned char)port.ptr[i]))
            return false;
        number = number * 10 + (port.ptr[i] - '0');
    }
    return number > 0 && number <= 65535;
}

bool config_value_is_url(const struct config_value_check *check)
{
    tr_str url = check->node->text, authority;
    size_t scheme = strncasecmp(url.ptr, "https://", 8) == 0  ? 8
                    : strncasecmp(url.ptr, "http://", 7) == 0 ? 7
                                                              : 0;
    size_t at;

    if (has_control(url, ' ') || str_find(url, '\\') < url.len)
        return fail(check, "is a URL with a space, control character or backslash in it",
                    "encode it, as %20");
    if (scheme == 0)
        return fail(check, "is not an absolute URL of http or https",
                    "write it as \"https://host/path\"");
    authority = authority_of(url, scheme);
    at = authority.len;
    while (at > 0 && authority.ptr[at - 1] != '@')
        at--;
    if (at > 0 && str_find(str_n(authority.ptr, at), ':') < at)
        return fail(check, "is a URL with a password in it",
                    "take it out and put it into the passwords file");
    if (!is_host_port(str_from(authority, at)))
        return fail(check, "is a URL without a proper host and port",
                    "write it as \"https://host:port/path\"");
    return true;
}

bool config_value_is_path(const struct config_value_check *check)
{
    tr_str path = check->node->text;

    if (path.len == 0 || path.ptr[0] != '/')
        return fail(check, "is not an absolute path", "begin it with \"/\"");
    if (has_control(path, 0x1f))
        return fail(check, "is a path with a control character in it", "take it out");
    return true;
}

bool config_value_is_regex(const struct config_value_check *check)
{
    tr_str pattern = check->node->text;
    PCRE2_UCHAR problem[160];
    PCRE2_SIZE offset;
    int code;
    pcre2_code *regex = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len, PCRE2_UTF, &code,
                                      &offset, NULL);

    if (regex) {
        pcre2_code_free(regex);
        return true;
    }
    pcre2_get_error_message(code, problem, sizeof(problem));
    config_value_fail(check, "is not a regular expression: at offset %zu: %s", (size_t)offset,
                      (const char *)problem);
    return false;
}

static bool is_name(tr_str name, const char *others)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.ptr[i]) && !strchr(others, name.ptr[i]))
            return false;
    return name.len > 0;
}

bool config_value_is_secret(const struct config_value_check *check)
{
    tr_str text = check->node->text, name;

    if (str_starts(text, STR("file:"))) {
        name = str_from(text, 5);
        if (name.len > 1 && name.ptr[0] == '/' && !has_control(name, 0x1f))
            return true;
        return fail(check, "names a file, but not by an absolute path",
                    "write \"file:/path/of/the/file\"");
    }
    if (str_starts(text, STR("env:"))) {
        name = str_from(text, 4);
        if (is_name(name, "_") && !isdigit((unsigned char)name.ptr[0]))
            return true;
        return fail(check, "names an environment variable that there cannot be",
                    "write \"env:NAME\" with letters, digits and \"_\"");
    }
    if (str_starts(text, STR("cred:"))) {
        name = str_from(text, 5);
        if (is_name(name, "._-") && name.ptr[0] != '.')
            return true;
        return fail(check, "names a credential that there cannot be",
                    "write \"cred:NAME\", as in LoadCredential= of the unit");
    }
    return fail(
        check, "is a bare secret, and these never stand in a configuration",
        "put it into a file of mode 600 and write \"file:/path\", or use \"env:NAME\" or "
        "\"cred:NAME\"");
}
