#include <napi.h>

#include "binding/files.h"
#include "binding/netlink.h"
#include "binding/options.h"
#include "binding/owners.h"
#include "binding/set_elements.h"
#include "binding/sockets.h"
#include "binding/watch.h"
#include "binding/xtables.h"

namespace earshot::binding {

/** What JavaScript sees: lib/native.ts declares it. */
Napi::Object exportAll(Napi::Env env, Napi::Object exports) {
  const auto set = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("readSockets", answer<kReadSockets>);
  set("readSocketsSync", answerSync<kReadSockets>);
  set("dumpSocketsSync", answerSync<kDumpSockets>);
  set("cgroupId", cgroupId);
  set("decodeSockets", decodeSockets);
  set("decodeProcSockets", decodeProcSockets);
  set("netlink", answer<kNetlink>);
  set("netlinkSync", answerSync<kNetlink>);
  set("readSetElements", answer<kReadSetElements>);
  set("packSetElements", packSetElements);
  set("readFiles", answer<kReadFiles>);
  set("readFilesSync", answerSync<kReadFiles>);
  set("readXtables", answer<kReadXtables>);
  set("owners", answer<kOwners>);
  set("ownersSync", answerSync<kOwners>);
  set("socketOptions", answer<kSocketOptions>);
  set("startWatch", startWatch);
  return exports;
}

NODE_API_MODULE(earshot, exportAll)

}  // namespace earshot::binding
