/* SPDX-License-Identifier: Apache-2.0 */
/* cxx_http: a class that asks its url once a batch, over a connection as its options want it.
 */
#include <tailrace/connection.h>
#include <tailrace/plugin.hpp>

struct wishes {
    char *url;
    tr_connection connection;
};

static const tailrace::option options[] = {
    tailrace::option("url", TR_TYPE_URL, "whom it asks")
        .with(TR_OPTION_REQUIRED)
        .at(offsetof(wishes, url)),
    TR_CONNECTION_LIMITS(offsetof(wishes, connection), "2", "requests at once"),
    TR_CONNECTION_TRUST(offsetof(wishes, connection)),
};
static const uint32_t options_count = sizeof(options) / sizeof(options[0]);

class Caller : public tailrace::instance
{
  public:
    explicit Caller(const tr_host *host)
        : instance(host), http(static_cast<const tr_http *>(host->get_ext(host, TR_EXT_HTTP))),
          client(), wanted(), ticket()
    {
    }

    ~Caller() override
    {
        if (client)
            http->client_free(client);
        tr_unbind(options, options_count, &wanted);
    }

    void configure(const tr_config *config) override
    {
        if (tr_bind(host(), config, options, options_count, &wanted, NULL) != TR_OK)
            throw std::runtime_error("the options cannot be read");
    }

    void start() override
    {
        const tr_http_options settings = tr_connection_http(&wanted.connection);
        char text[200] = "";
        tr_error error = {sizeof(error), sizeof(text), text};

        if (http->client_new(host(), &settings, &client, &error) != TR_OK)
            throw std::runtime_error(text);
    }

    tr_status process(const tr_batch &batch, tr_outcome &) override
    {
        tr_http_request request = tr_http_request();

        request.size = sizeof(request);
        request.url = tr_str_c(wanted.url);
        request.user = this;
        request.done = done;
        if (http->send(client, &request, NULL) != TR_OK)
            throw std::runtime_error("not sent");
        ticket = batch.ticket;
        return TR_PENDING;
    }

  private:
    static void done(void *user, const tr_http_response *response)
    {
        const Caller *me = static_cast<const Caller *>(user);

        tailrace::shield(me->host(), [&] { me->answer(*response); });
    }

    void answer(const tr_http_response &response) const
    {
        const tr_str said = response.status != 0 ? response.body : response.error;
        const std::string text = std::to_string(response.status) + " " +
                                 std::string(said.ptr, said.len);
        tr_outcome outcome = tr_outcome();

        outcome.size = sizeof(outcome);
        (void)tr_finish(&outcome, TR_OK, text.c_str());
        if (host()->complete(host(), ticket, &outcome) != TR_OK)
            throw std::logic_error("the batch was not open");
    }

    const tr_http *http;
    tr_http_client *client;
    wishes wanted;
    tr_ticket ticket;
};

TR_PLUGIN_CLASS(Caller, "cxx_http", "1.0", "asks a server", options)
