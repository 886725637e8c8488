# SPDX-License-Identifier: Apache-2.0
# The compiler flags of tailrace's own build, and the helpers that its folders use.

add_library(tailrace_flags INTERFACE)
target_compile_definitions(tailrace_flags INTERFACE
    _GNU_SOURCE TAILRACE_VERSION="${PROJECT_VERSION}" TAILRACE_PLUGIN_DIR="${TAILRACE_PLUGIN_DIR}"
    TAILRACE_CONF_DIR="${CMAKE_INSTALL_FULL_SYSCONFDIR}/tailrace")
target_compile_options(tailrace_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wwrite-strings -Wundef
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
    $<$<COMPILE_LANGUAGE:C>:-Wpointer-arith> -Wformat=2 -fno-common
    $<$<C_COMPILER_ID:Clang>:-Wno-gnu-zero-variadic-macro-arguments>)
if(TAILRACE_WERROR)
    target_compile_options(tailrace_flags INTERFACE -Werror)
endif()
if(TAILRACE_FAILPOINTS)
    target_compile_definitions(tailrace_flags INTERFACE TAILRACE_FAILPOINTS)
endif()
if(TAILRACE_SANITIZE)
    set(sanitize -fsanitize=${TAILRACE_SANITIZE} -fno-omit-frame-pointer -g)
    if(NOT TAILRACE_SANITIZE STREQUAL "thread")
        list(APPEND sanitize -fno-sanitize-recover=undefined)
    endif()
    add_compile_options(${sanitize})
    add_link_options(-fsanitize=${TAILRACE_SANITIZE})
endif()
if(TAILRACE_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
if(TAILRACE_HARDEN)
    add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
                        $<$<C_COMPILER_ID:GNU>:-fcf-protection>)
    add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

# One folder of core/ as a library: tailrace_module(json base). What it names behind itself is all
# that it may include, so that the dependencies point one way.
function(tailrace_module name)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c)
    add_library(core_${name} STATIC ${sources})
    target_include_directories(core_${name} PUBLIC ${PROJECT_SOURCE_DIR}/core
                                                   ${PROJECT_SOURCE_DIR}/sdk/include)
    target_link_libraries(core_${name} PUBLIC tailrace_flags ${ARGN})
endfunction()
