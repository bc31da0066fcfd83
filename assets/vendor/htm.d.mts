declare const htm: { bind<V>(h: (type: any, props: any, ...children: any[]) => V): (strings: TemplateStringsArray, ...values: any[]) => V };
export default htm;
