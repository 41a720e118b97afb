#include "binding/xtables.h"

#include "binding/arguments.h"

namespace earshot::binding {
namespace {

using Tables = std::vector<std::variant<xtables::Table, int>>;

xtables::Query tablesQuery(const Napi::CallbackInfo& info) {
  const Napi::Object object = objectArgument(info, 0);
  xtables::Query query;
  query.ipv6 = string(object, "family") == "ipv6";
  const Napi::Array tables = array(object, "tables");
  for (uint32_t at = 0; at < tables.Length(); at++) {
    query.tables.push_back(tables.Get(at).ToString().Utf8Value());
  }
  query.netns = optionalString(object, "netns");
  return query;
}

Napi::Value present(Napi::Env env, Tables& tables) {
  const auto results = Napi::Array::New(env, tables.size());
  for (uint32_t at = 0; at < tables.size(); at++) {
    if (const auto* table = std::get_if<xtables::Table>(&tables[at])) {
      const auto object = Napi::Object::New(env);
      object.Set("info", toBytes(env, table->info));
      object.Set("entries", toBytes(env, table->entries));
      results.Set(at, object);
    } else {
      results.Set(at, Napi::Number::New(env, std::get<int>(tables[at])));
    }
  }
  return results;
}

}  // namespace

const Question<xtables::Query, Tables> kReadXtables{tablesQuery, xtables::readTables, present};

}  // namespace earshot::binding
