# SPDX-License-Identifier: Apache-2.0
# tr_add_plugin(NAME SOURCE… [LIBRARIES LIBRARY…]): builds a plugin as NAME.so.
#
# For tailrace's own tree and, after find_package(TailraceSDK), for anybody's. The `.so` exports its
# entry point and nothing else: RTLD_LOCAL alone does not keep a plugin's symbols from meeting
# those of the host's libraries. It is put into ${CMAKE_BINARY_DIR}/plugins and installed to
# ${CMAKE_INSTALL_LIBDIR}/tailrace/plugins.

include(GNUInstallDirs)

function(tr_add_plugin name)
    set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/tailrace-plugin.map)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES")
    add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
    set_target_properties(${name} PROPERTIES
        PREFIX "" SUFFIX ".so"
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins
        POSITION_INDEPENDENT_CODE ON
        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
        LINK_DEPENDS ${map})
    target_link_options(${name} PRIVATE
        -Wl,--version-script=${map} -Wl,--exclude-libs,ALL)
    # A sanitizer's runtime is in the host, so a plugin built with one has open ends.
    if(NOT TAILRACE_SANITIZE)
        target_link_options(${name} PRIVATE -Wl,-z,defs)
    endif()
    if(TARGET tailrace_flags) # inside the tree
        target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/sdk/include)
        target_link_libraries(${name} PRIVATE tailrace_flags)
    else()
        target_link_libraries(${name} PRIVATE tailrace::sdk)
    endif()
    target_link_libraries(${name} PRIVATE ${arg_LIBRARIES})
    install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tailrace/plugins)
endfunction()
